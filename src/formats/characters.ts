/** How long a text is in code points, as the rules of the contract count it, and not in UTF-16 units. */
export function countCharacters(text: string): number {
  return [...text].length;
}
