const PLAIN = /^[\w@%+=:,./-]+$/;

/** Quotes `text` as one word of a POSIX shell. */
function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** What a user may try next. `kubectlArgs` select the cluster. */
export function whatNext(
  kubectlArgs: readonly string[],
  demo: boolean,
  hasKubectl: boolean,
): string {
  const kubectl = ["kubectl", ...kubectlArgs].map(shellWord).join(" ");
  const needed = hasKubectl ? "" : " (kubectl: https://kubernetes.io/docs/tasks/tools/)";
  const lines = demo
    ? [
        `Try, in another terminal${needed}:`,
        `  ${kubectl} -n demo patch configmap web-config --type merge -p '{"data":{"GREETING":"hi"}}'`,
        `  ${kubectl} -n demo patch secret web-secret --type merge -p '{"stringData":{"TOKEN":"another"}}'`,
        `  ${kubectl} -n demo get replicasets,pods`,
      ]
    : [
        `Opt a Deployment in, then change a ConfigMap or Secret that it uses${needed}:`,
        `  ${kubectl} -n NAMESPACE annotate deployment NAME reloader.stakater.com/auto=true`,
      ];
  return [...lines, "Ctrl-C ends everything that was started here."].join("\n");
}
