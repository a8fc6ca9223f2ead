/** The version of both programs; package.json says the same, which a test checks. */
export const programVersion = '0.1.0';
