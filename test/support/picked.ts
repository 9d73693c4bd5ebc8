/** The fields of a message that `like` names, absent ones included. */
export function picked<Message extends object>(message: Message, like: Partial<Message>): Partial<Message> {
  const names = Object.keys(like) as (keyof Message)[];
  return Object.fromEntries(names.map((name) => [name, message[name]])) as Partial<Message>;
}
