/** One line of `rollcast doctor`. `todo` is empty if nothing is to be done. */
export type Finding = {
  readonly ok: boolean;
  readonly about: string;
  readonly what: string;
  readonly todo: string;
};

export function ok(about: string, what: string): Finding {
  return { ok: true, about, what, todo: "" };
}

export function todo(about: string, what: string, what2do: string): Finding {
  return { ok: false, about, what, todo: what2do };
}
