/** The address is not one that this receiver may be sent to. */
export class AddressRefused extends Error {
  override name = "AddressRefused";
}
