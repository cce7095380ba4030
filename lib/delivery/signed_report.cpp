#include "delivery/signed_report.hpp"

#include <string_view>

namespace briefwerk::delivery {

base::task<std::string> signed_report(mailauth::message_signer* signer, std::string report) {
  if (signer == nullptr) co_return report;
  const std::size_t behind_return_path = report.find("\r\n") + 2;
  const std::string fields = co_await signer->sign(std::string_view(report).substr(behind_return_path));
  report.insert(behind_return_path, fields);
  co_return report;
}

}  // namespace briefwerk::delivery
