"""What the lessons and labs of the course import."""
