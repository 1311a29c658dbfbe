#include "apus_ring.h"
