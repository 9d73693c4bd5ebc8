import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- As the presets say. The version makes caches and etags hear of it.
    update tenants set
      settings = settings || jsonb_build_object('defaultPhoto', case settings->>'preset'
        when 'SETTINGS_PRESET_FOUR_GEEKS' then 'DEFAULT_PHOTO_LIBRAVATAR' else 'DEFAULT_PHOTO_NONE' end),
      settings_version = settings_version + 1;
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
