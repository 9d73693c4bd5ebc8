import { Code, ConnectError } from "@connectrpc/connect";
import { element } from "./dom.js";
import { service } from "./service.js";
import { session } from "./session.js";
import { account } from "./views/account.js";
import { door } from "./views/door.js";

const page = document.querySelector("#page") ?? document.body;

/** Shows what there is for who is signed in, anew. */
async function show(): Promise<void> {
  try {
    const { constraints } = await service.forms.getFormConstraints({});
    const signedIn = session.read();
    page.replaceChildren(...(signedIn ? await account(signedIn, constraints!, show) : door(constraints!, show)));
  } catch (error) {
    await explain(error);
  }
}

// The error of a button; a form shows its own.
window.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  void explain(event.reason);
});

async function explain(error: unknown): Promise<void> {
  const failure = ConnectError.from(error);
  if (failure.code === Code.Unauthenticated && session.read() !== undefined) {
    // The token has ended, was revoked, or its customer is gone.
    session.clear();
    await show();
    return;
  }
  page.querySelector(":scope > .wrong")?.remove();
  page.prepend(element("p", { className: "wrong", role: "alert" }, failure.rawMessage));
}

await show();
