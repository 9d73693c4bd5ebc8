import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table checkouts rename column type to customer_type;
    alter table orders rename column type to customer_type;
    update checkouts set resolutions = (
      select jsonb_agg(case one->>'field' when 'type' then one || '{"field": "customer_type"}' else one end order by place)
      from jsonb_array_elements(resolutions) with ordinality list(one, place))
    where resolutions @> '[{"field": "type"}]';

    -- Proto JSON of PaymentMethod: the fields of the card move into one object.
    update checkouts set payment_method =
      payment_method - array['brand', 'last4', 'expMonth', 'expYear'] || jsonb_build_object('card',
        (select jsonb_object_agg(key, value) from jsonb_each(payment_method)
          where key in ('brand', 'last4', 'expMonth', 'expYear')))
    where payment_method \\? 'brand';
    update orders set payment_method =
      payment_method - array['brand', 'last4', 'expMonth', 'expYear'] || jsonb_build_object('card',
        (select jsonb_object_agg(key, value) from jsonb_each(payment_method)
          where key in ('brand', 'last4', 'expMonth', 'expYear')))
    where payment_method \\? 'brand';
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
