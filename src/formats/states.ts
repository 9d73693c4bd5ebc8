import { type AddressData, addressData } from "./address-data.js";
import { foldedName, hasControls } from "./folding.js";
import type { State } from "./state-aliases.js";
import { genericWords, stateAliases } from "./state-aliases.js";

const maxLength = 200;
const indexes = new Map<string, ReadonlyMap<string, State>>();

/**
 * The code of a state, such as `TX` for `tx`, `US-TX` or "Texas" in `US`. A state that is not known is undefined in the
 * United States. Elsewhere it is kept as typed, because names and borders change. `country` is an ISO 3166-1 alpha-2 code.
 */
export function normalState(country: string, state: string): string | undefined {
  const typed = state.trim();
  if (typed === "" || typed.length > maxLength || hasControls(typed)) return undefined;
  return stateOf(country, typed)?.code ?? (country === "US" ? undefined : typed);
}

/** The state of that code or name in any spelling; undefined if there is none. */
export function stateOf(country: string, codeOrName: string): State | undefined {
  const data = addressData(country);
  if (data === undefined || codeOrName.length > maxLength || hasControls(codeOrName)) return undefined;
  const typed = codeOrName.trim();
  const upper = typed.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
  const code = upper.startsWith(`${country}-`) ? upper.slice(country.length + 1) : upper;
  const exactMatch = data.states.find((state) => state.code === code || state.code === typed);
  if (exactMatch !== undefined) return exactMatch;
  const index = indexes.get(country) ?? indexOf(country, data);
  indexes.set(country, index);
  return index.get(foldedName(code)) ?? index.get(foldedName(typed)) ?? index.get(shortName(country, typed));
}

// A full name goes before a shortened one, and a shortened one that two states share means neither.
function indexOf(country: string, data: AddressData): ReadonlyMap<string, State> {
  const full = new Map<string, State>();
  const add = (name: string, state: State) => full.has(foldedName(name)) || full.set(foldedName(name), state);
  for (const state of data.states) add(state.code, state);
  for (const alias of stateAliases[country]?.split(";") ?? []) {
    const [name = "", code] = alias.trim().split("=");
    const state = data.states.find((candidate) => candidate.code === code);
    if (state === undefined) throw new Error(`${country} has no state ${code}`);
    add(name, state);
  }
  for (const state of data.states) for (const name of state.names) add(name, state);
  const short = new Map<string, State | undefined>();
  for (const state of data.states) {
    for (const name of new Set(state.names.map((given) => shortName(country, given)))) {
      short.set(name, short.has(name) && short.get(name) !== state ? undefined : state);
    }
  }
  for (const [name, state] of short) if (state !== undefined && name !== "" && !full.has(name)) full.set(name, state);
  return full;
}

// Words as they stand, and what Chinese, Japanese and Korean write at the end without a space.
function shortName(country: string, name: string): string {
  const generic = (genericWords[country]?.split(" ") ?? []).map(foldedName);
  const words = name.split(/[\s-]+/).map(foldedName);
  const left = words.filter((word) => !generic.includes(word) && !/^(the|of|state|province|region)$/.test(word));
  const joined = left.join("");
  const ending = generic.find((word) => /[^a-z]/.test(word) && joined.endsWith(word) && joined !== word);
  return ending === undefined ? joined : joined.slice(0, -ending.length);
}
