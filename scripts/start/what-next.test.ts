import { expect, test } from "vitest";
import { whatNext } from "./what-next.ts";

test("the commands can be pasted into a shell, whatever the path", () => {
  const plain = whatNext(["--kubeconfig", "/home/a/.rollcast/kubeconfig"], true, true);
  expect(plain).toContain("  kubectl --kubeconfig /home/a/.rollcast/kubeconfig -n demo patch ");
  const odd = whatNext(["--context", "it's mine; ls"], false, true);
  expect(odd).toContain(String.raw`kubectl --context 'it'\''s mine; ls' -n NAMESPACE`);
});

test("a user without kubectl is told where to get it", () => {
  expect(whatNext([], true, false)).toContain("https://kubernetes.io/docs/tasks/tools/");
  expect(whatNext([], true, true)).not.toContain("https://");
});
