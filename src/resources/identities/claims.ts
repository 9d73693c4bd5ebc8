import { create } from "@bufbuild/protobuf";
import { type Customer, CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { holdsCardNumber } from "../../formats/card-numbers.js";
import { countCharacters } from "../../formats/characters.js";
import { normalEmail } from "../../formats/emails.js";
import { isLocale } from "../../formats/locales.js";
import { normalPhone } from "../../formats/phones.js";
import { cleanText } from "../../formats/text.js";

type Claims = Readonly<Record<string, unknown>>;

/** The e-mail address of an identity, if the provider has verified that it is this person's. */
export function verifiedEmail(claims: Claims): string | undefined {
  const email = claims.email_verified === true ? textIn(claims, "email", 254) : undefined;
  return email && normalEmail(email);
}

/** The customer that an identity would make: what its standard claims tell (OpenID Connect Core, 5.1), where it fits. */
export function customerFromClaims(claims: Claims): Customer {
  const email = verifiedEmail(claims);
  const name = textIn(claims, "name", 200);
  const firstName = textIn(claims, "given_name", 100);
  const lastName = textIn(claims, "family_name", 100);
  const verifiedPhone = claims.phone_number_verified === true ? textIn(claims, "phone_number", 64) : undefined;
  const phone = verifiedPhone && normalPhone(verifiedPhone);
  const locale = textIn(claims, "locale", 5)?.replace("-", "_");
  return create(CustomerSchema, {
    ...(email !== undefined && { email }),
    ...(name !== undefined && { name }),
    ...(firstName !== undefined && { firstName }),
    ...(lastName !== undefined && { lastName }),
    ...(phone !== undefined && { phone }),
    ...(locale !== undefined && isLocale(locale) && { locale }),
  });
}

// A provider may say anything: only a text that a customer could hold counts.
function textIn(claims: Claims, name: string, maxLength: number): string | undefined {
  const value = claims[name];
  if (typeof value !== "string" || !value.isWellFormed() || /\p{Cc}/u.test(value)) return undefined;
  const text = cleanText(value);
  return text === "" || countCharacters(text) > maxLength || holdsCardNumber(text) ? undefined : text;
}
