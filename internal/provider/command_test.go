package provider

import (
	"slices"
	"testing"
)

func TestWithoutSecrets(t *testing.T) {
	environment := []string{"PATH=/bin", "CLOCKER_PASSWORD=secret", "CLOCKER_USERNAME=user", "CLOCKER_TLS_KEY_FILE=-----BEGIN", "BUILD_ID=1", "CLOCKER_PASSWORD"}
	want := []string{"PATH=/bin", "CLOCKER_USERNAME=user", "BUILD_ID=1"}
	if got := WithoutSecrets(environment); !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
	if len(environment) != 6 || environment[1] != "CLOCKER_PASSWORD=secret" {
		t.Error("the argument was changed")
	}
}
