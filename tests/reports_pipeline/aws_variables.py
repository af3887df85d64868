"""The variables with which everything is set on AWS."""

# Needed where mails go to companies.
SENDING = {
    "REPORTS_SUPPORT_ADDRESS": "help@financeflow.example",
    "REPORTS_PREFERENCES_URL": "https://financeflow.example/mails",
}
# What AWS needs besides.
ON_AWS = {
    "REPORTS_ENVIRONMENT": "aws",
    "AWS_DEFAULT_REGION": "ap-northeast-1",
    "REPORTS_DATABASE_URL": "postgresql://register/reports",
    "REPORTS_LEDGER_URL": "postgresql://replica/ledger",
    "REPORTS_DAGSTER_URL": "postgresql://register/dagster",
    "REPORTS_DOCUMENTS_BUCKET": "financeflow-documents",
    "REPORTS_NOTICE_TOPIC": "arn:aws:sns:ap-northeast-1:123456789012:notices",
    "REPORTS_MAILER": "ses:reports",
    "REPORTS_FEEDBACK_QUEUE": "https://sqs.example/feedback",
    "REPORTS_LINK_SECRET": "s" * 32,
    "REPORTS_DOCUMENT_LINKS": "https://documents.financeflow.example",
    "REPORTS_SHARED_LINKS": "https://reports.financeflow.example",
    **SENDING,
}
