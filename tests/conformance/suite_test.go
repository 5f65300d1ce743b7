// The upstream conformance suite of the Gateway API, pinned by go.mod; `lab conformance` builds and runs it.
package conformance

import (
	"testing"

	upstream "sigs.k8s.io/gateway-api/conformance"
)

func TestConformance(t *testing.T) { upstream.RunConformance(t) }
