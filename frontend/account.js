// @ts-check
/** Who is signed in: shows it, offers the sign-in and the way out. */

import { byId } from "./dom.js";
import { fetchMe, signOut } from "./gateway.js";
import { S } from "./strings.js";

const ASK_AGAIN_MS = 4000;

/** See the module's text. */
export class AccountView {
  #name = byId("account-name", HTMLElement);
  #out = byId("sign-out", HTMLButtonElement);
  #in = byId("sign-in", HTMLAnchorElement);
  #again = byId("sign-in-again", HTMLAnchorElement);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(me: import("./gateway.js").Me | null) => void} changed somebody has signed out, or tried to */
  constructor(changed) {
    this.#out.addEventListener("click", () => {
      this.#out.disabled = true;
      void signOut()
        .then(fetchMe)
        .then((me) => {
          this.#out.disabled = false;
          changed(me);
        });
    });
  }

  /** @param {import("./gateway.js").Me} me */
  show(me) {
    this.#name.textContent = me.name;
    this.#name.hidden = !me.name;
    this.#out.hidden = !me.sign_out;
    this.#in.hidden = me.signed_in || !me.sign_in;
    this.#again.hidden = !me.signed_in || !me.sign_in;
    for (const link of [this.#in, this.#again]) if (me.sign_in) link.href = me.sign_in;
  }

  /**
   * The sign-in has expired during a talk: a proxy or another tab may have renewed it, or the
   * person can, in a tab of its own.
   * @param {{over: () => boolean, say: (text: string) => void,
   *   renewed: (me: import("./gateway.js").Me) => void}} talk
   */
  async renew(talk) {
    clearTimeout(this.#timer);
    const me = await fetchMe();
    if (talk.over()) return;
    if (me?.signed_in && (me.expires_in_s ?? 1) > 0) {
      talk.say("");
      talk.renewed(me);
      return;
    }
    if (me?.sign_in && this.#again.hidden) {
      this.#again.href = me.sign_in;
      this.#again.hidden = false;
      talk.say(S.signInExpired);
    }
    this.#timer = setTimeout(() => void this.renew(talk), ASK_AGAIN_MS);
  }
}

/**
 * Why somebody can't talk.
 * @param {import("./gateway.js").Me} me
 * @returns {string} "" if they can
 */
export function blocked(me) {
  if (me.signed_in) return "";
  return me.sign_in ? S.signInToTalk : S.notLetIn(me.missing);
}
