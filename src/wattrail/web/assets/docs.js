// The description of the REST interface, drawn by Swagger UI. It asks this server alone: no validator, no other address.
window.SwaggerUIBundle({
  url: "/api/v1/docs/openapi.json",
  domNode: document.getElementById("main"),
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
});
