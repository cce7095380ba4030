#pragma once

// The text that a reader of HTML sees, for classifiers: no renderer, but what splits words apart for the eye splits
// them here, and what does not (comments, inline tags) joins them.

#include <functional>
#include <string>
#include <string_view>

namespace briefwerk::filter {

// Appends the visible text. `tag` is called with the name of each opening tag, in lower case, and its attributes as
// they stand; may be empty. Forgives everything.
void append_html_text(std::string& out, std::string_view html,
                      const std::function<void(std::string_view name, std::string_view attributes)>& tag = {});

}  // namespace briefwerk::filter
