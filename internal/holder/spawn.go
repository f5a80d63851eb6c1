package holder

import (
	"slices"
	"strings"
)

// inherited are the environment variables that a holder process needs. It gets
// no others: the provider's environment holds credentials.
var inherited = []string{
	"HOME", "USER", "TMPDIR", "TMP", "TEMP", "SystemRoot", "SYSTEMROOT",
	"GODEBUG", "GOTRACEBACK", "GORACE", "GOCOVERDIR", "GOMAXPROCS",
	"RES_OPTIONS", "LOCALDOMAIN", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

func environment(all []string) []string {
	env := []string{}
	for _, variable := range all {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(inherited, name) {
			env = append(env, variable)
		}
	}
	return env
}
