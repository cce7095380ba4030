// The one place where Asio is compiled; every other source only declares it.
#include <asio/impl/src.hpp>
