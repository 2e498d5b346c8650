#include "web/pages/schema_html.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <vector>

#include "web/pages/markdown.h"
#include "web/pages/openapi_json.h"

namespace belfry {
namespace {

std::string Code(const YAML::Node& value) {
  return "<code>" + EscapeHtml(JsonOf(value, 0)) + "</code>";
}

std::string Joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += between;
    out += part;
  }
  return out;
}

std::vector<std::string> TypesOf(const YAML::Node& nodes) {
  std::vector<std::string> types;
  for (const auto& node : nodes) types.push_back(TypeHtml(node));
  return types;
}

std::string PlainType(const YAML::Node& type) {
  if (!type) return "any value";
  if (type.IsScalar()) return type.Scalar();
  std::vector<std::string> names;
  for (const auto& one : type) names.push_back(one.Scalar());
  return Joined(names, " or ");
}

std::string BoundsHtml(const YAML::Node& schema, const char* least, const char* most,
                       const char* unit) {
  const YAML::Node from = schema[least];
  const YAML::Node to = schema[most];
  if (!from && !to) return {};
  std::string text = ", ";
  if (from && to) {
    text += from.Scalar() + " to " + to.Scalar();
  } else {
    text += (from ? "from " + from.Scalar() : "up to " + to.Scalar());
  }
  return text + unit;
}

bool Contains(const YAML::Node& list, const std::string& name) {
  return list && std::any_of(list.begin(), list.end(),
                             [&](const YAML::Node& one) { return one.Scalar() == name; });
}

}  // namespace

std::string NameOfRef(const YAML::Node& node) {
  if (!node.IsMap() || !node["$ref"]) return {};
  const std::string ref = node["$ref"].Scalar();
  return ref.substr(ref.rfind('/') + 1);
}

std::string TypeHtml(const YAML::Node& schema) {
  if (const std::string name = NameOfRef(schema); !name.empty()) {
    return "<a href=\"#schema-" + name + "\">" + name + "</a>";
  }
  if (schema["oneOf"]) return Joined(TypesOf(schema["oneOf"]), " or ");
  if (schema["allOf"]) return Joined(TypesOf(schema["allOf"]), " and ");
  if (schema["const"]) return Code(schema["const"]);
  if (schema["enum"]) {
    std::vector<std::string> values;
    for (const auto& value : schema["enum"]) values.push_back(Code(value));
    return Joined(values, " ");
  }
  std::string text = PlainType(schema["type"]);
  if (schema["items"]) text += " of " + TypeHtml(schema["items"]);
  if (schema["format"]) text += ", " + schema["format"].Scalar();
  text += BoundsHtml(schema, "minimum", "maximum", "");
  text += BoundsHtml(schema, "minLength", "maxLength", " characters");
  text += BoundsHtml(schema, "minItems", "maxItems", " of them");
  if (schema["default"]) text += ", default " + Code(schema["default"]);
  return text;
}

std::string MembersHtml(const YAML::Node& schema) {
  std::string out;
  if (schema["allOf"]) {
    for (const auto& part : schema["allOf"]) out += MembersHtml(part);
  }
  if (!schema["properties"]) return out;
  out +=
      "<table><thead><tr><th scope=\"col\">Member</th><th scope=\"col\">Value</th></tr></thead>"
      "<tbody>\n";
  for (const auto& property : schema["properties"]) {
    const std::string name = property.first.Scalar();
    out += "<tr><th scope=\"row\"><code>" + EscapeHtml(name) + "</code>";
    if (Contains(schema["required"], name)) out += " <span class=\"always\">always</span>";
    out += "</th><td><span class=\"type\">" + TypeHtml(property.second) + "</span>";
    if (property.second["description"]) {
      out += MarkdownHtml(property.second["description"].Scalar());
    }
    if (property.second["default"] && property.second["enum"]) {
      out += "<p>Default " + Code(property.second["default"]) + "</p>";
    }
    if (property.second["items"]) out += MembersHtml(property.second["items"]);
    out += "</td></tr>\n";
  }
  return out + "</tbody></table>\n";
}

}  // namespace belfry
