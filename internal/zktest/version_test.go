// SPDX-License-Identifier: MPL-2.0

package zktest

import (
	"os"
	"strings"
	"testing"
)

// TestServerVersion makes sure that results count for the version that was asked for.
func TestServerVersion(t *testing.T) {
	version := os.Getenv("ZOOKEEPER_VERSION")
	if version == "" {
		t.Skip("ZOOKEEPER_VERSION asks for no version")
	}
	for name, server := range map[string]*Server{
		"shared": NewSpace(t).Server(),
		"own":    Own(t, Options{}),
	} {
		answer, err := server.FourLetter(t.Context(), "srvr")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(answer, "Zookeeper version: "+version+"-") {
			t.Errorf("the %s server is not of version %s: %s", name, version, answer)
		}
	}
}
