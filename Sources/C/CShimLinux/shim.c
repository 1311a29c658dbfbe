#include "CShimLinux.h"
