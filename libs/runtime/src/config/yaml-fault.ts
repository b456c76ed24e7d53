/** An error of the YAML parser, or of what makes values of what it read. */
type YamlError = Error & { readonly linePos?: readonly { line: number; col: number }[] };

/**
 * What is wrong with a YAML file and where:
 * `Unexpected scalar token in YAML stream at line 2, column 5`. Behind a colon the parser quotes
 * what it stumbled over; that is left out, for it may be a secret.
 */
export function yamlFault({ message, linePos }: YamlError): string {
  const [words = ""] = message.split(/: | at line |:?\n/, 1);
  const at = linePos?.[0];
  return at === undefined ? words : `${words} at line ${at.line}, column ${at.col}`;
}
