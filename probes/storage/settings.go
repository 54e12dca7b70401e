package storage

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// settingWords says what a setting means in an incident, given its value.
var settingWords = map[string]func(value string) string{
	"log_min_duration_statement": func(v string) string {
		if v != "-1" {
			return "Statements that take longer are in the server's log."
		}
		return "The server logs no slow statement. A reload is enough, no restart: " +
			"ALTER SYSTEM SET log_min_duration_statement = '1s'; SELECT pg_reload_conf();"
	},
	"idle_in_transaction_session_timeout": func(v string) string {
		if v == "0" {
			return "A session that forgets its transaction holds its locks for ever, unless its own settings say otherwise."
		}
		return "A session idle in a transaction for longer is ended. A PDF rendered inside a transaction has to be quicker, or its finalization is lost without a record."
	},
	"max_connections": func(string) string { return "Slots for all sessions, those reserved for superusers among them." },
	"track_io_timing": func(v string) string {
		if v == "on" {
			return "Plans and statistics tell the time spent on reading from disk."
		}
		return "Plans do not tell the time spent on reading from disk. A reload is enough: ALTER SYSTEM SET track_io_timing = on; SELECT pg_reload_conf();"
	},
	"autovacuum": func(v string) string {
		if v == "on" {
			return ""
		}
		return "Dead rows stay, tables bloat, and transaction ids run out."
	},
	"shared_buffers": func(string) string { return "PostgreSQL's own cache. The usual start is a quarter of the memory." },
	"work_mem":       func(string) string { return "Memory of one sort or hash; a larger one goes to disk." },
}

func settingNames() []string { return slices.Sorted(maps.Keys(settingWords)) }

// inWords gives the value with its unit, and what it means.
func inWords(name, value, unit string) (shown, says string) {
	if words := settingWords[name]; words != nil {
		says = words(value)
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return value, says
	case n == -1:
		return "off", says
	case n == 0 && strings.HasSuffix(name, "timeout"):
		return "none", says
	case unit == "8kB":
		return size(n * 8 << 10), says
	case unit == "kB":
		return size(n << 10), says
	}
	return strings.TrimSpace(value + " " + unit), says
}

// size is a setting of memory as its file has it: 128MB, not 131072kB.
func size(bytes int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	i := 0
	for i < len(units)-1 && bytes >= 1024 && bytes%1024 == 0 {
		bytes /= 1024
		i++
	}
	return fmt.Sprintf("%d%s", bytes, units[i])
}
