// SPDX-License-Identifier: MPL-2.0

package kerberos

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-krb5/krb5/iana/etypeID"
)

// unquote is a value without its quotes and the escapes in them.
func unquote(value string) string {
	if len(value) < 2 || value[0] != '"' {
		return value
	}
	var b strings.Builder
	for i := 1; i < len(value) && value[i] != '"'; i++ {
		if value[i] == '\\' && i+1 < len(value) {
			i++
			if at := strings.IndexByte("ntb", value[i]); at >= 0 {
				b.WriteByte("\n\t\b"[at])
				continue
			}
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// kdcAddress is host:port of a KDC, which speaks TCP whatever the value asks for; empty if it is
// reached in another way, such as an HTTPS proxy.
func kdcAddress(value string) string {
	const port = "88"
	if strings.Contains(value, "://") {
		return ""
	}
	value = strings.TrimPrefix(strings.TrimPrefix(value, "tcp/"), "udp/")
	if value == "" || strings.ContainsAny(value, "/ ") {
		return ""
	}
	if host, own, err := net.SplitHostPort(value); err == nil {
		return net.JoinHostPort(host, own)
	}
	return net.JoinHostPort(strings.Trim(value, "[]"), port)
}

// encryptionTypes are those named, as far as they are known.
func encryptionTypes(names string) []int32 {
	var types []int32
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return strings.ContainsRune(" ,\t", r) }) {
		switch name = strings.ToLower(name); {
		case strings.HasPrefix(name, "-"):
			types = slices.DeleteFunc(types, func(t int32) bool { return t == etypeID.ETypesByName[name[1:]] })
		case name == "aes" || name == "default" || strings.HasPrefix(name, "default"):
			types = append(types, allowed...)
		default:
			types = append(types, etypeID.ETypesByName[strings.TrimPrefix(name, "+")])
		}
	}
	return types
}

// boolean reads the words that MIT's Kerberos knows; def for others, such as fallback.
func boolean(value string, def bool) bool {
	switch strings.ToLower(value) {
	case "y", "yes", "true", "t", "1", "on":
		return true
	case "n", "no", "false", "nil", "0", "off":
		return false
	}
	return def
}

// duration reads 36000, 10h, 1d 12h, 10:30 and 10:30:00; def for anything else.
func duration(value string, def time.Duration) time.Duration {
	const day = 24 * time.Hour
	units := map[byte]time.Duration{'d': day, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	if parts := strings.Split(value, ":"); len(parts) == 2 || len(parts) == 3 {
		value = parts[0] + "h" + parts[1] + "m" + strings.Join(parts[2:], "")
	}
	var sum time.Duration
	for rest := strings.ReplaceAll(value, " ", ""); rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		number, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return def
		}
		unit := time.Second
		if rest = rest[digits:]; rest != "" {
			if unit = units[rest[0]]; unit == 0 {
				return def
			}
			rest = rest[1:]
		}
		sum += time.Duration(number) * unit
	}
	if sum <= 0 {
		return def
	}
	return sum
}
