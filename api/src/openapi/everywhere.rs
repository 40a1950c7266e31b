//! What holds of the whole document.

use utoipa::Modify;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ObjectBuilder, OpenApi, Ref, RefOr};

/// How callers show who they are.
pub(super) struct BearerTokens;

impl Modify for BearerTokens {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A JSON Web Token; its claims alone decide what the caller may do."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The id that every request has.
pub(super) struct RequestIds;

/// Its header; also the name of the components that describe it.
const REQUEST_ID: &str = "X-Request-Id";

impl Modify for RequestIds {
    fn modify(&self, document: &mut OpenApi) {
        let schema = || {
            let text = ObjectBuilder::new().schema_type(Type::String);
            text.examples(["req-8c1f"]).build()
        };
        let parameter = ParameterBuilder::new()
            .name(REQUEST_ID)
            .parameter_in(ParameterIn::Header)
            .description(Some(
                "An id of the request's own: 1 to 128 of `A-Za-z0-9._:-/+=`. Any other is replaced.",
            ))
            .schema(Some(schema()));
        let header = HeaderBuilder::new()
            .description(Some(
                "The request's id, its own or one made by the service: the service's log and the \
                 entry about a reading have it too.",
            ))
            .schema(Some(schema()));
        let components = document.components.get_or_insert_default();
        components.parameters.insert(REQUEST_ID.to_owned(), parameter.build().into());
        components.headers.insert(REQUEST_ID.to_owned(), RefOr::T(header.build()));

        let reference = |kind| Ref::new(format!("#/components/{kind}/{REQUEST_ID}"));
        for operation in operations(document) {
            let parameters = operation.parameters.get_or_insert_default();
            parameters.push(RefOr::Ref(reference("parameters")));
            for response in operation.responses.responses.values_mut() {
                if let RefOr::T(response) = response {
                    let header = RefOr::Ref(reference("headers"));
                    response.headers.insert(REQUEST_ID.to_owned(), header);
                }
            }
        }
    }
}

/// Every operation.
fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|path| {
        [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch]
            .into_iter()
            .flatten()
    })
}

/// A field that may be null is `oneOf` its schema and null. What the field says of itself belongs
/// beside that, where generators look for it.
pub(super) struct Descriptions;

impl Modify for Descriptions {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        for schema in components.schemas.values_mut() {
            let RefOr::T(Schema::Object(object)) = schema else { continue };
            for property in object.properties.values_mut() {
                let RefOr::T(Schema::OneOf(choice)) = property else { continue };
                for item in &mut choice.items {
                    if let RefOr::Ref(reference) = item
                        && !reference.description.is_empty()
                    {
                        choice.description = Some(std::mem::take(&mut reference.description));
                    }
                }
            }
        }
    }
}
