// Package grading reads the grading system's tables. The schema is discovered,
// never assumed: one query of the catalog resolves each logical Field to a
// column of the deployed names or of the playbook's, or to "not here" with the
// reason. The SQL is composed from the resolved names only.
package grading

// Field is a logical column that the cockpit knows under one name whatever the
// installation calls it.
type Field string

// The logical fields. The comment gives the deployed name, then the playbook's
// where it differs; "-" where one of them has none.
const (
	CopyID        Field = "copy.id"
	CopyAnon      Field = "copy.anonymous_id"
	CopyStatus    Field = "copy.status"
	CopyExam      Field = "copy.exam_id"
	CopyCreated   Field = "copy.created_at"         // -, created_at
	CopyFinalPDF  Field = "copy.final_pdf"          // final_pdf, final_copy_pdf
	CopyScore     Field = "copy.score"              // -, final_score
	CopyLockedBy  Field = "copy.locked_by_id"       // locked_by_id, -
	CopyLockedAt  Field = "copy.locked_at"          // locked_at, -
	CopyValidated Field = "copy.validated_at"       // validated_at, -
	CopyGraded    Field = "copy.graded_at"          // graded_at, -
	CopyAssigned  Field = "copy.assigned_at"        // assigned_at, -
	CopyCorrector Field = "copy.assigned_corrector" // assigned_corrector_id, -
	CopySource    Field = "copy.pdf_source"         // pdf_source, -
	CopyError     Field = "copy.error"              // grading_error_message, -
	CopyRetries   Field = "copy.retries"            // grading_retries, -
	ExamID        Field = "exam.id"
	ExamName      Field = "exam.name" // name, title
	ExamCreated   Field = "exam.created_at"
	BookletID     Field = "booklet.id"
	BookletPages  Field = "booklet.pages_images"
	LinkCopy      Field = "copy_booklet.copy_id"
	LinkBooklet   Field = "copy_booklet.booklet_id"
	LockID        Field = "lock.id"
	LockCopy      Field = "lock.copy_id"
	LockOwner     Field = "lock.owner" // owner_id, locked_by_id
	LockSince     Field = "lock.since" // locked_at, created_at
	LockExpires   Field = "lock.expires_at"
	LockToken     Field = "lock.token"
	EventID       Field = "event.id"
	EventCopy     Field = "event.copy_id"
	EventAction   Field = "event.action"
	EventActor    Field = "event.actor_id"
	EventAt       Field = "event.timestamp"
	EventMeta     Field = "event.metadata"
	AnnID         Field = "annotation.id"
	AnnCopy       Field = "annotation.copy_id"
	AnnPage       Field = "annotation.page"   // page_index, page
	AnnPoints     Field = "annotation.points" // score_delta, score
	AnnType       Field = "annotation.type"   // type, annotation_type
	AnnBy         Field = "annotation.created_by_id"
	AnnAt         Field = "annotation.created_at"
	DraftCopy     Field = "draft.copy_id"
	DraftOwner    Field = "draft.owner_id"
	DraftVersion  Field = "draft.version"
	QScoreCopy    Field = "question_score.copy_id" // 02-04 … 02-10
	QScoreValue   Field = "question_score.score"
	ScoreCopy     Field = "score.copy_id" // from 02-11
	ScoreData     Field = "score.scores_data"
	UserID        Field = "user.id"
	UserName      Field = "user.username"
	UserActive    Field = "user.is_active"
)

// Column is where a Field was found.
type Column struct {
	Schema  string // "public"
	Table   string // "grading_copylock"
	Name    string // "owner_id"
	Type    string // format_type: "uuid", "integer", "timestamp with time zone"
	NotNull bool
	Default bool // the database fills it in
	Insert  bool // our role may give it in an INSERT
	Update  bool // our role may UPDATE it
}

// Schema is what one query of the catalog found at connect.
type Schema struct {
	Database string
	User     string // the role we are connected as
	Server   string // "15.18"
	Dialect  Dialect
	Replica  bool // pg_is_in_recovery: nothing can be written here

	Columns map[Field]Column // readable ones only
	Absent  map[Field]string // why a field is not in Columns, as a sentence
	Fixes   map[Field]string // the GRANT that would bring a field that is only denied

	// Write rights of our role, by table name: "insert", "update", "delete".
	// Insert and update count when they are granted on any column; Column has
	// the right on each.
	Rights map[string]map[string]bool
	// Required lists, by table name, the columns that an INSERT has to give:
	// NOT NULL without a default, whether or not a Field stands for them.
	Required map[string][]string
	// Denied has the tables of which our role may not read a single column.
	Denied map[string]bool

	// EventTail is true where the end of the event table can be read alone, by
	// physical place: a plain table that we may read as a whole.
	EventTail bool

	// RoutedQueues is true where migration 0010_perf_indexes_zf_aud_13 shows
	// the generation whose tasks go to "finalize" and "import".
	RoutedQueues bool
}

// Col gives the quoted column of a field, for composing SQL; "" when it is not
// here.
func (s *Schema) Col(f Field) string {
	if c, ok := s.Columns[f]; ok {
		return quote(c.Name)
	}
	return ""
}

// Table gives the quoted table of a field, with its schema; "" when the field
// is not here.
func (s *Schema) Table(f Field) string {
	if c, ok := s.Columns[f]; ok {
		return quote(c.Schema, c.Table)
	}
	return ""
}

// hasTable tells whether a table is there, readable or not.
func (s *Schema) hasTable(name string) bool {
	_, ok := s.Rights[name]
	return ok
}

// Has tells whether all the fields were found.
func (s *Schema) Has(fields ...Field) bool {
	for _, f := range fields {
		if _, ok := s.Columns[f]; !ok {
			return false
		}
	}
	return true
}

// Why gives the reason for the first of the fields that is not here, and the
// GRANT that would bring it, if one would; "" when all are here.
func (s *Schema) Why(fields ...Field) (reason, fix string) {
	for _, f := range fields {
		if _, ok := s.Columns[f]; !ok {
			if why := s.Absent[f]; why != "" {
				return why, s.Fixes[f]
			}
			return "This database has no " + string(f) + ".", ""
		}
	}
	return "", ""
}
