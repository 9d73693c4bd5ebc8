type Child = Node | string;

/** Makes an element with properties and children. Texts stay texts: nothing that a customer wrote becomes markup. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A part of the page under a heading. */
export function section(title: string, ...children: Child[]): HTMLElement {
  const made = element("section", { ariaLabel: title }, element("h2", {}, title), ...children);
  return made;
}

/** A button that does one thing; it cannot be pressed again until that is done. */
export function button(text: string, onPress: () => Promise<void>, className = "quiet"): HTMLButtonElement {
  const made = element("button", { type: "button", className }, text);
  made.addEventListener("click", async () => {
    made.disabled = true;
    await onPress().finally(() => {
      made.disabled = false;
    });
  });
  return made;
}
