"""AWS at the other end of HTTP: moto, and what it lacks of ECS, of SES and of roles."""
