package grading

// where is the place of a Field: its table and the names its column may have,
// the deployed one first, then the playbook's.
type where struct {
	table string
	names []string
}

// tables of the grading system. A database with none of the first three is
// some other database.
const (
	tableCopy   = "exams_copy"
	tableLock   = "grading_copylock"
	tableEvent  = "grading_gradingevent"
	tableExam   = "exams_exam"
	tableBook   = "exams_booklet"
	tableLink   = "exams_copy_booklets"
	tableAnn    = "grading_annotation"
	tableDraft  = "grading_draftstate"
	tableQScore = "grading_questionscore"
	tableScore  = "grading_score"
	tableUser   = "auth_user"
)

func at(table string, names ...string) where { return where{table, names} }

// fields gives every Field its places. The names are those of the facts about
// the deployed system, section 2, and of the playbook, sections 2.2 to 7.
func fields() map[Field]where {
	return map[Field]where{
		CopyID:        at(tableCopy, "id"),
		CopyAnon:      at(tableCopy, "anonymous_id"),
		CopyStatus:    at(tableCopy, "status"),
		CopyExam:      at(tableCopy, "exam_id"),
		CopyCreated:   at(tableCopy, "created_at"),
		CopyFinalPDF:  at(tableCopy, "final_pdf", "final_copy_pdf"),
		CopyScore:     at(tableCopy, "final_score"),
		CopyLockedBy:  at(tableCopy, "locked_by_id"),
		CopyLockedAt:  at(tableCopy, "locked_at"),
		CopyValidated: at(tableCopy, "validated_at"),
		CopyGraded:    at(tableCopy, "graded_at"),
		CopyAssigned:  at(tableCopy, "assigned_at"),
		CopyCorrector: at(tableCopy, "assigned_corrector_id"),
		CopySource:    at(tableCopy, "pdf_source"),
		CopyError:     at(tableCopy, "grading_error_message"),
		CopyRetries:   at(tableCopy, "grading_retries"),
		ExamID:        at(tableExam, "id"),
		ExamName:      at(tableExam, "name", "title"),
		ExamCreated:   at(tableExam, "created_at"),
		BookletID:     at(tableBook, "id"),
		BookletPages:  at(tableBook, "pages_images"),
		LinkCopy:      at(tableLink, "copy_id"),
		LinkBooklet:   at(tableLink, "booklet_id"),
		LockID:        at(tableLock, "id"),
		LockCopy:      at(tableLock, "copy_id"),
		LockOwner:     at(tableLock, "owner_id", "locked_by_id"),
		LockSince:     at(tableLock, "locked_at", "created_at"),
		LockExpires:   at(tableLock, "expires_at"),
		LockToken:     at(tableLock, "token"),
		EventID:       at(tableEvent, "id"),
		EventCopy:     at(tableEvent, "copy_id"),
		EventAction:   at(tableEvent, "action"),
		EventActor:    at(tableEvent, "actor_id"),
		EventAt:       at(tableEvent, "timestamp"),
		EventMeta:     at(tableEvent, "metadata"),
		AnnID:         at(tableAnn, "id"),
		AnnCopy:       at(tableAnn, "copy_id"),
		AnnPage:       at(tableAnn, "page_index", "page"),
		AnnPoints:     at(tableAnn, "score_delta", "score"),
		AnnType:       at(tableAnn, "type", "annotation_type"),
		AnnBy:         at(tableAnn, "created_by_id"),
		AnnAt:         at(tableAnn, "created_at"),
		DraftCopy:     at(tableDraft, "copy_id"),
		DraftOwner:    at(tableDraft, "owner_id"),
		DraftVersion:  at(tableDraft, "version"),
		QScoreCopy:    at(tableQScore, "copy_id"),
		QScoreValue:   at(tableQScore, "score"),
		ScoreCopy:     at(tableScore, "copy_id"),
		ScoreData:     at(tableScore, "scores_data"),
		UserID:        at(tableUser, "id"),
		UserName:      at(tableUser, "username"),
		UserActive:    at(tableUser, "is_active"),
	}
}

// tableNames lists every table that a Field lives in, and Django's own record
// of migrations.
func tableNames() []string {
	return []string{
		tableCopy, tableLock, tableEvent, tableExam, tableBook, tableLink, tableAnn, tableDraft,
		tableQScore, tableScore, tableUser, "django_migrations",
	}
}
