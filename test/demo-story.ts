/** What the demo prints, in any order that the story allows. */
export const STORY = [
  /somebody sets LOG_LEVEL=debug in ConfigMap demo\/web-config/,
  /ConfigMap demo\/web-config changed: LOG_LEVEL/,
  /demo\/web rolled/,
  /demo\/api rolled/,
  /demo\/web healthy/,
  /demo\/api healthy/,
  /delivered to webhook \(signature verified\): "Rolled out/,
  /it stays up/,
];
