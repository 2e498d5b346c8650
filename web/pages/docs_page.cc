#include "web/pages/docs_page.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <vector>

#include "web/pages/markdown.h"
#include "web/pages/openapi_json.h"
#include "web/pages/schema_html.h"

namespace belfry {
namespace {

struct Operation {
  std::string verb;   // in capitals
  std::string path;   // of a webhook: ""
  YAML::Node shared;  // parameters of the path
  YAML::Node node;
};

std::string Text(const YAML::Node& node) { return node ? node.Scalar() : std::string(); }

std::string Anchor(std::string text) {
  std::replace(text.begin(), text.end(), ' ', '-');
  return text;
}

class Page {
 public:
  explicit Page(const YAML::Node& description) : api_(description) {}

  std::string Write() {
    Collect();
    WriteHead();
    WriteContents();
    out_ += "<main id=\"main\">\n";
    WriteIntroduction();
    for (const auto& tag : api_["tags"]) WriteTag(tag);
    WriteWebhooks();
    WriteSchemas();
    out_ += "</main>\n</div>\n</body>\n</html>\n";
    return std::move(out_);
  }

 private:
  void Collect() {
    for (const auto& path : api_["paths"]) {
      CollectFrom(path.first.Scalar(), path.second, operations_);
    }
    for (const auto& hook : api_["webhooks"]) CollectFrom("", hook.second, webhooks_);
  }
  static void CollectFrom(const std::string& path, const YAML::Node& item,
                          std::vector<Operation>& into) {
    for (const auto& member : item) {
      std::string verb = member.first.Scalar();
      if (verb == "parameters") continue;
      std::transform(verb.begin(), verb.end(), verb.begin(), ::toupper);
      into.push_back({verb, path, item["parameters"], member.second});
    }
  }
  [[nodiscard]] std::vector<const Operation*> OfTag(const std::string& tag) const {
    std::vector<const Operation*> found;
    for (const Operation& operation : operations_) {
      if (operation.node["tags"][0].Scalar() == tag) found.push_back(&operation);
    }
    return found;
  }
  // Follows a `$ref` within the description.
  [[nodiscard]] YAML::Node Resolve(const YAML::Node& node) const {
    if (!node.IsMap() || !node["$ref"]) return node;
    std::string_view ref = node["$ref"].Scalar();
    ref.remove_prefix(std::string_view("#/components/").size());
    const size_t slash = ref.find('/');
    return api_["components"][std::string(ref.substr(0, slash))]
               [std::string(ref.substr(slash + 1))];
  }

  void WriteHead() {
    const std::string title = Text(api_["info"]["title"]) + " API";
    out_ +=
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n"
        "<link rel=\"stylesheet\" href=\"/docs.css\">\n<title>" +
        title +
        "</title>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the text</a>\n"
        "<header class=\"bar\"><a class=\"brand\" href=\"/\">Belfry</a>"
        "<span class=\"bar-links\"><a href=\"/openapi.yaml\">openapi.yaml</a> "
        "<a href=\"/openapi.json\">openapi.json</a></span></header>\n<div class=\"page\">\n";
  }

  void WriteContents() {
    out_ += "<nav aria-label=\"Contents\">\n";
    for (const auto& tag : api_["tags"]) {
      const std::string name = tag["name"].Scalar();
      WriteContentsOf(name, OfTag(name));
    }
    std::vector<const Operation*> hooks;
    for (const Operation& hook : webhooks_) hooks.push_back(&hook);
    WriteContentsOf("webhooks", hooks);
    out_ += "<h2><a href=\"#schemas\">schemas</a></h2>\n</nav>\n";
  }
  void WriteContentsOf(const std::string& name, const std::vector<const Operation*>& operations) {
    out_ += "<h2><a href=\"#" + Anchor(name) + "\">" + name + "</a></h2>\n<ul>\n";
    for (const Operation* operation : operations) {
      out_ += "<li><a href=\"#" + Text(operation->node["operationId"]) + "\">" +
              EscapeHtml(Text(operation->node["summary"])) + "</a></li>\n";
    }
    out_ += "</ul>\n";
  }

  void WriteIntroduction() {
    const YAML::Node info = api_["info"];
    out_ += "<h1>" + EscapeHtml(Text(info["title"])) + " API <small>" +
            EscapeHtml(Text(info["version"])) + "</small></h1>\n<p class=\"lead\">" +
            InlineHtml(Text(info["summary"])) + "</p>\n" + MarkdownHtml(Text(info["description"]));
  }

  void WriteTag(const YAML::Node& tag) {
    const std::string name = tag["name"].Scalar();
    out_ += "<section aria-labelledby=\"" + Anchor(name) + "\">\n<h2 id=\"" + Anchor(name) + "\">" +
            name + "</h2>\n" + MarkdownHtml(Text(tag["description"]));
    for (const Operation* operation : OfTag(name)) WriteOperation(*operation);
    out_ += "</section>\n";
  }
  void WriteWebhooks() {
    if (webhooks_.empty()) return;
    out_ +=
        "<section aria-labelledby=\"webhooks\">\n<h2 id=\"webhooks\">webhooks</h2>\n"
        "<p>What receivers get.</p>\n";
    for (const Operation& hook : webhooks_) WriteOperation(hook);
    out_ += "</section>\n";
  }

  void WriteOperation(const Operation& operation) {
    const YAML::Node& node = operation.node;
    const std::string id = Text(node["operationId"]);
    out_ += "<article aria-labelledby=\"" + id + "\">\n<h3 id=\"" + id + "\"><a href=\"#" + id +
            "\">" + EscapeHtml(Text(node["summary"])) +
            "</a></h3>\n<p class=\"route\"><span "
            "class=\"verb " +
            operation.verb + "\">" + operation.verb + "</span> <code>" +
            EscapeHtml(operation.path.empty() ? "your URL" : operation.path) + "</code></p>\n" +
            MarkdownHtml(Text(node["description"]));
    WriteScope(node["security"]);
    WriteParameters(operation);
    WriteRequestBody(node["requestBody"]);
    WriteResponses(node["responses"]);
    out_ += "</article>\n";
  }

  void WriteScope(const YAML::Node& security) {
    for (const auto& way : security) {
      for (const auto& scheme : way) {
        out_ += "<p class=\"scope\">Needs a token with the scope <code>" +
                scheme.second[0].Scalar() + "</code></p>\n";
      }
    }
  }

  void WriteParameters(const Operation& operation) {
    std::string rows;
    for (const YAML::Node& list : {operation.shared, operation.node["parameters"]}) {
      if (!list) continue;
      for (const auto& given : list) {
        const YAML::Node parameter = Resolve(given);
        rows += "<tr><th scope=\"row\"><code>" + EscapeHtml(Text(parameter["name"])) +
                "</code> <span class=\"place\">" + Text(parameter["in"]) +
                "</span></th><td><span class=\"type\">" + TypeHtml(parameter["schema"]) +
                "</span>" + MarkdownHtml(Text(parameter["description"])) + "</td></tr>\n";
      }
    }
    if (rows.empty()) return;
    out_ +=
        "<table><thead><tr><th scope=\"col\">Parameter</th><th scope=\"col\">Value</th></tr>"
        "</thead><tbody>\n" +
        rows + "</tbody></table>\n";
  }

  void WriteRequestBody(const YAML::Node& body) {
    if (!body) return;
    for (const auto& media : body["content"]) {
      out_ += "<p class=\"part\"><strong>Body</strong> <span class=\"type\">" +
              TypeHtml(media.second["schema"]) + "</span></p>\n" +
              MarkdownHtml(Text(body["description"])) + MembersHtml(media.second["schema"]);
      WriteExamples(media.second["examples"]);
    }
  }

  void WriteResponses(const YAML::Node& responses) {
    out_ += "<dl class=\"answers\">\n";
    for (const auto& response : responses) {
      const YAML::Node node = Resolve(response.second);
      const std::string status = response.first.Scalar();
      out_ += "<dt><span class=\"status s" + status.substr(0, 1) + "\">" +
              (status == "default" ? "other" : status) + "</span></dt>\n<dd>" +
              MarkdownHtml(Text(node["description"]));
      for (const auto& header : node["headers"]) {
        const YAML::Node what = Resolve(header.second);
        out_ += "<p><code>" + header.first.Scalar() + "</code> " +
                InlineHtml(Text(what["description"])) + "</p>\n";
      }
      for (const auto& media : node["content"]) {
        out_ += "<p><span class=\"type\">" + TypeHtml(media.second["schema"]) +
                "</span> <span class=\"place\">" + EscapeHtml(media.first.Scalar()) +
                "</span></p>\n";
        WriteExamples(media.second["examples"]);
      }
      out_ += "</dd>\n";
    }
    out_ += "</dl>\n";
  }

  void WriteExamples(const YAML::Node& examples) {
    for (const auto& example : examples) {
      const YAML::Node value = example.second["value"];
      const std::string summary = Text(example.second["summary"]);
      out_ += "<figure>";
      if (!summary.empty()) out_ += "<figcaption>" + EscapeHtml(summary) + "</figcaption>";
      std::string text = value.IsScalar() ? value.Scalar() : JsonOf(value, 0);
      if (text.size() > 48 && !value.IsScalar()) text = JsonOf(value, 2);
      out_ += "<pre tabindex=\"0\"><code>" + EscapeHtml(text) + "</code></pre></figure>\n";
    }
  }

  void WriteSchemas() {
    out_ += "<section aria-labelledby=\"schemas\">\n<h2 id=\"schemas\">schemas</h2>\n";
    for (const auto& schema : api_["components"]["schemas"]) {
      const std::string name = schema.first.Scalar();
      out_ += "<article aria-labelledby=\"schema-" + name + "\">\n<h3 id=\"schema-" + name +
              "\"><a href=\"#schema-" + name + "\">" + name +
              "</a></h3>\n<p><span "
              "class=\"type\">" +
              TypeHtml(schema.second) + "</span></p>\n" +
              MarkdownHtml(Text(schema.second["description"])) + MembersHtml(schema.second) +
              "</article>\n";
    }
    out_ += "</section>\n";
  }

  const YAML::Node& api_;
  std::vector<Operation> operations_;
  std::vector<Operation> webhooks_;
  std::string out_;
};

}  // namespace

std::string DocsPage(const YAML::Node& description) { return Page(description).Write(); }

}  // namespace belfry
