/** The variables of the page's build. */
interface ImportMeta {
  readonly env: {
    /** The public port of the service, such as `http://127.0.0.1:8080`. */
    readonly VITE_CLIENTELE_URL: string;
    /** A publishable key, `pk_…`. */
    readonly VITE_CLIENTELE_KEY: string;
  };
}
