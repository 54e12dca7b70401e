package clean_test

import (
	"testing"

	"gradecockpit/probes/clean"
)

func TestSecretsAreLeftOutOfStatements(t *testing.T) {
	for sql, want := range map[string]string{
		`ALTER ROLE x PASSWORD 'a''b' LOGIN`:                                                         `ALTER ROLE x PASSWORD '…' LOGIN`,
		`create role x encrypted password E'a\'b' superuser`:                                         `create role x encrypted password '…' superuser`,
		`alter role x password 'cut off`:                                                             `alter role x password '…'`,
		`UPDATE "auth_user" SET "password" = 'pbkdf2_sha256$600000$salt$hash=', "last_login" = NULL`: `UPDATE "auth_user" SET "password" = '…', "last_login" = NULL`,
		`INSERT INTO auth_user (password, username) VALUES ('pbkdf2_sha256$600000$salt$hash=', 'x')`: `INSERT INTO auth_user (password, username) VALUES ('…', 'x')`,
		`SELECT 1 FROM django_session WHERE "django_session"."session_key" = 'abc'`:                  `SELECT 1 FROM django_session WHERE "django_session"."session_key" = '…'`,
		`UPDATE django_session SET session_data = 'abc' WHERE session_key IN ('d', 'e')`:             `UPDATE django_session SET session_data = '…' WHERE session_key IN ('…')`,
		`CREATE SUBSCRIPTION s CONNECTION 'host=h password=hidden user=u' PUBLICATION p`:             `CREATE SUBSCRIPTION s CONNECTION 'host=h password=… user=u' PUBLICATION p`,
		`SELECT dblink('postgres://u:hidden@h/db')`:                                                  `SELECT dblink('postgres://u:…@h/db')`,
		`select password from auth_user where id = '7'`:                                              `select password from auth_user where id = '7'`,
		`SELECT "password", username FROM auth_user WHERE "password" = $1`:                           `SELECT "password", username FROM auth_user WHERE "password" = $1`,
		`UPDATE exams_copy SET status = 'READY' WHERE id = '5f0c5d4e-0000-4000-8000-000000000001'`:   `UPDATE exams_copy SET status = 'READY' WHERE id = '5f0c5d4e-0000-4000-8000-000000000001'`,
	} {
		if got := clean.SQL(sql); got != want {
			t.Errorf("%s\n gives %s\n  want %s", sql, got, want)
		}
	}
}
