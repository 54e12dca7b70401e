package clean

import "regexp"

const literal = `(?:E'(?:[^'\\]|\\.|'')*'?|'(?:[^']|'')*'?)`

// Where a statement may hold a secret: the value of a column or an option that
// is called so, a hash of a password wherever it stands, and a connection string
// inside a literal. Django's driver puts values into the text, and
// pg_stat_statements keeps those of statements such as ALTER ROLE.
var (
	secretValue  = regexp.MustCompile(`(?i)((?:password|passwd|secret|session_key|session_data)"?\s*(?:=|<>|in\s*\()?\s*)` + literal + `(?:\s*,\s*` + literal + `)*`)
	secretHash   = regexp.MustCompile(`(?i)'(?:pbkdf2_|argon2|bcrypt|scrypt|sha1\$|md5|SCRAM-SHA-256\$)[^' ]{20,}'?`)
	secretInside = regexp.MustCompile(`(?i)(password\s*=\s*)[^\s'"$]+`)
	secretURL    = regexp.MustCompile(`(://[^\s/:@']*:)[^\s/@']+@`)
)

// SQL gives the text of a statement without the secrets it may hold. Do it
// before the text is cut, or half of one is not known for what it is.
func SQL(text string) string {
	text = secretValue.ReplaceAllString(text, "${1}'…'")
	text = secretHash.ReplaceAllString(text, "'…'")
	text = secretInside.ReplaceAllString(text, "${1}…")
	return secretURL.ReplaceAllString(text, "${1}…@")
}
