import { TaxCertificateState } from "../../../gen/clientele/v1/tax_certificates_pb.js";

interface Term {
  /** Days as `YYYY-MM-DD`, the first and the last on which it holds. */
  readonly start_date: string;
  readonly end_date: string;
}

/** The state of a tax certificate at a time: it lapses with the last moment of its last day, in UTC. */
export function stateAt(now: Date, { start_date, end_date }: Term): TaxCertificateState {
  const today = now.toISOString().slice(0, 10);
  if (today < start_date) return TaxCertificateState.PENDING;
  return today > end_date ? TaxCertificateState.LAPSED : TaxCertificateState.ACTIVE;
}
