import { seedSuite } from './seed-suite.ts';

seedSuite(6, 10);
