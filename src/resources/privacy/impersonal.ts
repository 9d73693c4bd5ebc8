/**
 * The columns of text, JSON or bytes that tell of no person, each with the reason in a few words; those under `*` stand
 * in several tables. All others stand in `personal`.
 */
export const impersonal: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "*": {
    tenant_id: "which half of which merchant",
    id: "drawn by the service",
    customer_id: "what the merchant's own books call the customer",
    former_customer_id: "what the merchant's own books call the customer",
    checkout_id: "drawn by the service",
    state: "a word of the contract",
  },
  tenants: {
    account_id: "drawn by the service",
    account_name: "the merchant's",
    settings: "the merchant's",
    page_token_key: "the merchant's",
  },
  api_keys: {
    kind: "a word of the contract",
    label: "the merchant's",
    secret_hash: "the merchant's",
    last4: "the merchant's",
  },
  payment_methods: {
    type: "a word of the contract",
    token_key: "the hash of a token, so that a consumed one is known again",
  },
  tax_identifiers: { type: "a word of the contract" },
  checkouts: { resolutions: "which fields came from where, never their values" },
  custom_fields: {
    slug: "the merchant's",
    name: "the merchant's",
    description: "the merchant's",
    type: "a word of the contract",
    rules: "the merchant's",
    default_value: "the merchant's",
  },
  events: {
    type: "a word of the contract",
    changed_paths: "names of fields, never their values",
    actor: "drawn by the service",
    actor_kind: "a word of the contract",
    reason: "a code of the merchant's, never prose",
  },
  webhook_endpoints: { url: "the merchant's", event_types: "words of the contract", label: "the merchant's" },
  webhook_deliveries: {
    endpoint_id: "drawn by the service",
    event_id: "drawn by the service",
    event_type: "a word of the contract",
    attempts: "times, statuses and words of the contract",
  },
  login_attempts: { subject: "a keyed hash of what was typed, for 30 days at most" },
  idempotency_keys: {
    method: "a word of the contract",
    key_hash: "a hash by which a retry is known, for 24 hours",
    resource_id: "drawn by the service",
  },
  imports: { source: "a word of the command line" },
  erasures: {
    receipt: "names of tables and columns, and numbers",
    guest_email: "what is to be erased; a constraint allows none once the erasure has ended",
  },
};
