// SPDX-License-Identifier: MPL-2.0

package zookeeper

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const marker = "hunter2-marker"

// secretive is a Config with all that must not be seen, and what may be.
func secretive() Config {
	return Config{
		Servers:        []string{"zk1:2281"},
		SessionTimeout: time.Second,
		Auth:           Digest{Username: "alice", Password: NewSecret(marker)},
		TLS:            &TLS{CA: "authority", Cert: "certificate", Key: NewSecret("key of " + marker)},
		Creator:        true,
		SASL:           SASLUser{Username: "alice", Password: NewSecret(marker)},
		Kerberos:       &Kerberos{Principal: "alice", Keytab: NewSecret(marker), Password: NewSecret(marker)},
	}
}

func TestSecretIsNeverFormatted(t *testing.T) {
	t.Parallel()
	type inner struct {
		config Config
		tls    TLS
		digest *Digest
	}
	cfg := secretive()
	within := inner{cfg, *cfg.TLS, &cfg.Auth}
	for name, value := range map[string]any{
		"secret":          cfg.Auth.Password,
		"pointer":         &cfg.Auth.Password,
		"digest":          cfg.Auth,
		"TLS":             cfg.TLS,
		"Kerberos":        cfg.Kerberos,
		"SASL":            cfg.SASL,
		"config":          cfg,
		"unexported":      within,
		"unexported in":   struct{ in *inner }{&within},
		"pool key":        keyOf(cfg),
		"map of pool key": map[poolKey]int{keyOf(cfg): 1},
		"slice":           []Secret{cfg.Auth.Password},
		"error":           &ConnectError{Servers: cfg.Servers, Cause: fmt.Errorf("%v", cfg.Auth)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "% X", "%d", "%t", "%f", "%z"} {
				shows(t, verb, fmt.Sprintf(verb, value))
			}
			text, err := json.Marshal(struct{ Value any }{value})
			if err == nil { // a map of structs has no JSON
				shows(t, "json", string(text))
			}
			var log bytes.Buffer
			for _, handler := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
				slog.New(handler).Info("connect", "value", value, slog.Any("pointer", &value))
			}
			shows(t, "slog", log.String())
		})
	}
}

func shows(t *testing.T, how, text string) {
	t.Helper()
	for _, part := range []string{marker, fmt.Sprintf("%x", marker), fmt.Sprintf("% X", marker)} {
		if strings.Contains(text, part) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
	}
}

// A crash prints the error that it came of, and all calls with their arguments.
func TestSecretIsInNoCrash(t *testing.T) {
	const child = "CLOCKER_TEST_CRASH"
	crash := func(cfg Config, auth *Digest) {
		panic(&ConnectError{Servers: cfg.Servers, Cause: fmt.Errorf("%+v as %v", cfg, auth)})
	}
	if os.Getenv(child) != "" {
		cfg := secretive()
		crash(cfg, &cfg.Auth)
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1", "GOTRACEBACK=all")
	output, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "goroutine ") || !strings.Contains(string(output), "alice") {
		t.Errorf("it did not crash: %v\n%s", err, output)
	}
	shows(t, "a crash", string(output))
}

// The pipe to the holder is gob's.
func TestSecretGoesOverThePipe(t *testing.T) {
	t.Parallel()
	var pipe bytes.Buffer
	sent := secretive()
	if err := gob.NewEncoder(&pipe).Encode(sent); err != nil {
		t.Fatal(err)
	}
	var got Config
	if err := gob.NewDecoder(&pipe).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Auth.Password.reveal() != marker || got.SASL.Password.reveal() != marker || got.Kerberos.Keytab.reveal() != marker || got.TLS.Key.reveal() != "key of "+marker {
		t.Errorf("the secrets have become %q and %q", got.Auth.Password.reveal(), got.TLS.Key.reveal())
	}
	if keyOf(got) != keyOf(sent) {
		t.Error("the same secrets are not equal")
	}
}

func TestSecretsAreEqualIfTheirTextsAre(t *testing.T) {
	t.Parallel()
	text := []byte("a")
	if NewSecret(string(text)) != NewSecret("a") || NewSecret("") != (Secret{}) {
		t.Error("the same text is another secret")
	}
	if NewSecret("a") == NewSecret("b") || NewSecret("a") == (Secret{}) {
		t.Error("another text is the same secret")
	}
	var empty Secret
	if err := empty.GobDecode(nil); err != nil || empty != (Secret{}) {
		t.Errorf("nothing has become %q, %v", empty.reveal(), err)
	}
}
