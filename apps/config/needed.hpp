#pragma once

namespace briefwerk::apps {

// Whether a key of the configuration must be there.
enum class needed : bool { no, yes };

}  // namespace briefwerk::apps
