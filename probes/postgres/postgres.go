// Package postgres holds the two ways to PostgreSQL: a Reader with one
// read-only connection that all probes share, and a Writer that opens one
// connection for as long as an action runs. Nothing else in the cockpit
// connects to the database.
package postgres
