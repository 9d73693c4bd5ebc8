/** One page of any list. */
export interface ListPage {
  readonly ids: readonly string[];
  readonly nextPageToken: string;
  readonly previousPageToken: string;
}

/** Asks for a page of a list. */
export type ReadPage = (page: { readonly pageSize?: number; readonly pageToken?: string }) => Promise<ListPage>;

/** Reads a list from its first page to its last, each of the size given. */
export async function walkForwards(read: ReadPage, pageSize: number): Promise<ListPage[]> {
  const pages = [await read({ pageSize })];
  for (let token = pages[0]!.nextPageToken; token !== ""; token = pages.at(-1)!.nextPageToken) {
    pages.push(await read({ pageSize, pageToken: token }));
  }
  return pages;
}

/** Reads a list from a page back to the first; the pages come in the order they were read in. */
export async function walkBackwards(read: ReadPage, pageSize: number, from: ListPage): Promise<ListPage[]> {
  const pages = [from];
  for (let token = from.previousPageToken; token !== ""; token = pages.at(-1)!.previousPageToken) {
    pages.push(await read({ pageSize, pageToken: token }));
  }
  return pages;
}
