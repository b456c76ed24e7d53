/** The address is not one that this receiver may be sent to. */
export class AddressRefusedError extends Error {
  override name = "AddressRefusedError";
}
