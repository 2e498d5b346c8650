#include "bench/peers/reply_reader.h"

#include <algorithm>

namespace belfry {

ReplyReader::Verdict LinesReader::Take(std::string_view bytes) {
  if (complete_) text_.clear();
  complete_ = false;
  text_ += bytes;
  seen_ += static_cast<size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
  if (seen_ < lines_) return Verdict::kMore;
  if (seen_ > lines_ || text_.back() != '\n') return Verdict::kBroken;
  seen_ = 0;
  complete_ = true;
  return text_.find(expected_) != std::string::npos ? Verdict::kGood : Verdict::kBad;
}

HttpReader::HttpReader() {
  llhttp_settings_init(&settings_);
  settings_.on_message_complete = [](llhttp_t* parser) {
    static_cast<HttpReader*>(parser->data)->ended_ = true;
    return static_cast<int>(HPE_PAUSED);
  };
  llhttp_init(&parser_, HTTP_RESPONSE, &settings_);
  parser_.data = this;
}

ReplyReader::Verdict HttpReader::Take(std::string_view bytes) {
  if (complete_) text_.clear();
  complete_ = false;
  text_ += bytes;
  const llhttp_errno_t error = llhttp_execute(&parser_, bytes.data(), bytes.size());
  if (error == HPE_OK) return Verdict::kMore;
  const bool whole = error == HPE_PAUSED && ended_ &&
                     llhttp_get_error_pos(&parser_) == bytes.data() + bytes.size();
  if (!whole || llhttp_should_keep_alive(&parser_) == 0) return Verdict::kBroken;
  llhttp_resume(&parser_);
  ended_ = false;
  complete_ = true;
  return parser_.status_code >= 200 && parser_.status_code < 300 ? Verdict::kGood : Verdict::kBad;
}

}  // namespace belfry
