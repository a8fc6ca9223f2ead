/** Which digest a tag means: in SQLite, or in memory for the simulator and for tests. */
import type { Database } from '../../protocol/node/sqlite.ts';

export interface ImageTag {
  /** `NAME:TAG` */
  reference: string;
  digest: string;
  mediaType: string;
  /** Wall clock. */
  updatedMs: number;
}

export interface ImageTags {
  all(): Promise<ImageTag[]>;
  /** Keeps or replaces; resolves when durable. */
  save(tag: ImageTag): Promise<void>;
  remove(reference: string): Promise<void>;
}

export const imageTables: string[] = [
  `CREATE TABLE image_tag (
     reference TEXT PRIMARY KEY,
     digest TEXT NOT NULL,
     media_type TEXT NOT NULL,
     updated_ms INTEGER NOT NULL
   ) STRICT`,
];

export class SqliteImageTags implements ImageTags {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async all(): Promise<ImageTag[]> {
    const rows = await this.#database.all('SELECT * FROM image_tag ORDER BY reference');
    return rows.map((row) => ({
      reference: row.reference as string,
      digest: row.digest as string,
      mediaType: row.media_type as string,
      updatedMs: row.updated_ms as number,
    }));
  }

  save({ reference, digest, mediaType, updatedMs }: ImageTag): Promise<void> {
    const sql = 'INSERT OR REPLACE INTO image_tag VALUES (?, ?, ?, ?)';
    return this.#database.write([{ sql, params: [reference, digest, mediaType, updatedMs] }]);
  }

  remove(reference: string): Promise<void> {
    return this.#database.write([{ sql: 'DELETE FROM image_tag WHERE reference = ?', params: [reference] }]);
  }
}

export class MemoryImageTags implements ImageTags {
  readonly #tags = new Map<string, ImageTag>();

  async all(): Promise<ImageTag[]> {
    return [...this.#tags.values()].sort((one, other) => (one.reference < other.reference ? -1 : 1));
  }

  async save(tag: ImageTag): Promise<void> {
    this.#tags.set(tag.reference, { ...tag });
  }

  async remove(reference: string): Promise<void> {
    this.#tags.delete(reference);
  }
}
