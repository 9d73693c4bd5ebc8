/** Whether digits pass the Luhn check (ISO/IEC 7812): from the right, every second digit counts twice. */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let at = digits.length - 1; at >= 0; at--) {
    const digit = digits.charCodeAt(at) - 48;
    const counted = (digits.length - at) % 2 === 0 ? digit * 2 : digit;
    sum += counted > 9 ? counted - 9 : counted;
  }
  return sum % 10 === 0;
}
