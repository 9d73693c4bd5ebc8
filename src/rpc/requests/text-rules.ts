import { type DescField, getOption, hasOption } from "@bufbuild/protobuf";
import { field as rulesOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** The contract's rules for a text. */
export interface TextRules {
  /** In characters; undefined for no limit. */
  readonly maxLength?: number;
  /** An expression that JavaScript, with its `u` flag, and RE2 read alike. */
  readonly pattern?: string;
}

/** The rules of a text field as its descriptor carries them, so that they stand in the contract alone. */
export function textRulesOf(field: DescField): TextRules {
  if (!hasOption(field, rulesOption)) return {};
  const { type, cel } = getOption(field, rulesOption);
  const rules = type.case === "string" ? type.value : undefined;
  const pattern =
    rules?.pattern || cel.map(({ expression }) => patternIn(expression)).find((candidate) => candidate !== "");
  return { ...(rules?.maxLen && { maxLength: Number(rules.maxLen) }), ...(pattern && { pattern }) };
}

// A pattern stands in an expression where its violation has a message of its own.
function patternIn(expression: string): string {
  const literal = /^(?:this == '' \|\| )?this\.matches\('(.*)'\)$/.exec(expression)?.[1] ?? "";
  return literal.replace(/\\(.)/g, "$1");
}
