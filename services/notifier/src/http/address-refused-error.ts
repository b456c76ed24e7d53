/** The receiver must not be sent to at this address. */
export class AddressRefusedError extends Error {
  override name = "AddressRefusedError";
}
